"""Reports, the same for both roles: the side that has the data, and the side that wants them (section 5.3)."""
