"""Other methods behind one interface: picture -> score map."""
