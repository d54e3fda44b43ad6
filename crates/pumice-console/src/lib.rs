//! Consoles: transports, the actor that drains them, the matcher, pacing, transcripts.
