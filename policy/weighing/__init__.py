"""How strong the evidence against a version is: bets with a bounded chance of a false alarm."""
