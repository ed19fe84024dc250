//! What is to run, in which order, and which gates stand before it.
