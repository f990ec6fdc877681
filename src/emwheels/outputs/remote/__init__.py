"""A store of builds that others share: any OCI registry, or a folder that a web server serves."""
