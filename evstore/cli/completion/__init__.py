"""TAB: the scripts of the shells, and the names that a store offers."""
