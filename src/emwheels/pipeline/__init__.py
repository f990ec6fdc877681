"""The whole path of packages: recipes in, tested wheels and an index out. Joins the rooms; does no work itself."""
