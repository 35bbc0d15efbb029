"""What `macrid doctor` looks at: the machine, the store, its current bundle, the settings."""
