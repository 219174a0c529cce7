// Sections and grace periods are the axiom of the checker: see rcu.h.
