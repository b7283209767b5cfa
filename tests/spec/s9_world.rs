//! §9.1, §9.3, §9.6, §9.7: where the world is rougher.
