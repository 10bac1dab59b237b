//! What holds a port, and how well that is known.
