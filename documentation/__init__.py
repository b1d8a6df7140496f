"""The generator of the reference pages, and the tables that measurements and simulations print."""
