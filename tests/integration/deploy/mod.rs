//! What stands in deploy/ fits the program, and works.

mod container;
mod scaling;
mod shapes;
mod systemd;
