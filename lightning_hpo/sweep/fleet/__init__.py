"""Who runs what: owners, controllers that share a study, the lock between them."""
