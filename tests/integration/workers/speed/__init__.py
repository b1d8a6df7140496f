"""The speed of the detector, and the programs that it is compared with."""
