//! A stream in pieces.

/// Cuts `bytes` into pieces of 1 to 16 bytes. Where, follows from the bytes.
pub fn pieces(bytes: &[u8]) -> Vec<&[u8]> {
    let mut state = bytes.iter().fold(1_u32, |sum, byte| sum.wrapping_mul(31).wrapping_add(u32::from(*byte)));
    let mut rest = bytes;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        // Numerical Recipes (3rd edition, 7.1): a quick generator is random enough to cut a stream.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let length = (1 + (state >> 28) as usize).min(rest.len());
        let (piece, behind) = rest.split_at(length);
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
