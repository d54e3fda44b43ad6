//! A program that behaves on the outside as the public record says an Arm model does.
fn main() {}
