"""Where an index can be: a folder, another machine over rsync, a bucket."""
