"""Where it flows: topics, the Faust apps, batches, the table, and the windows as pure sums."""
