"""What was built, by build key: in the local store and in a store that others share."""
