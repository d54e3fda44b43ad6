//! The platform fvp: Arm Fast Models and Fixed Virtual Platforms.
