"""The routes: one function each, with no logic beyond calling one function of the domain."""
