"""What the conformance rules fix as data, for both roles."""
