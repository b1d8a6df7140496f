"""The reading of fields, of which a constructor is made: dataclasses, named tuples, models."""
