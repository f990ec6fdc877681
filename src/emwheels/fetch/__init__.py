"""What comes from package registries: resolved by this machine's configuration, verified by hash, kept in the store."""
