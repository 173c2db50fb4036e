"""The machine under a job: memory, arithmetic, cores, GPUs, signals, what a job leaves behind."""
