"""The door through which Hydra finds our sweeper and launchers; nothing heavy is imported here."""
