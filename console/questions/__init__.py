"""What the routes of the API and the pages both ask."""
