"""The list of faults, each of them injected: one named test or more for every fault."""
