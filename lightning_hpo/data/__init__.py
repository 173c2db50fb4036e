"""Data modules over tensors that live on the trainer's device, folds and batched augmentation."""
