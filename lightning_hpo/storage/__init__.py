"""Where a study lives, the embedded file or a shared database, and how a job finds its trial."""
