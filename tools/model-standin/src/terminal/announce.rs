//! The lines that announce terminals, in the forms seen in the field (reference, section 4.1).

use crate::knobs::Announcement;

/// One announcement, line breaks and all.
pub(crate) fn line(form: Announcement, model: &str, terminal: &str, port: u16) -> String {
    let listening = format!("{terminal}: Listening for serial connection on port {port}\n");
    match form {
        Announcement::Plain => listening,
        Announcement::Info => format!("Info: {model}: {listening}"),
        Announcement::InfoBlank => format!("\nInfo: {model}: {listening}\n"),
        Announcement::Upper => format!("INFO: {model}: {listening}"),
    }
}

/// A small generator for orders and delays that can be had again from their seed (xorshift64*).
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dice {
    state: u64,
}

impl Dice {
    /// The seed's sequence.
    pub(crate) fn new(seed: u64) -> Self {
        Self { state: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1 }
    }

    /// The next number.
    pub(crate) fn next(&mut self) -> u64 {
        self.state ^= self.state >> 12;
        self.state ^= self.state << 25;
        self.state ^= self.state >> 27;
        self.state.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    /// A number in 0..1.
    #[expect(clippy::cast_precision_loss, reason = "53 bits are asked for, and 53 bits fit")]
    pub(crate) fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// The numbers below `count` in another order; never the natural one when there is a choice.
    pub(crate) fn order(&mut self, count: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..count).collect();
        for at in (1..count).rev() {
            let bound = u64::try_from(at + 1).unwrap_or(1);
            order.swap(at, usize::try_from(self.next() % bound).unwrap_or(0));
        }
        if order.is_sorted() {
            order.reverse();
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_public_forms_and_the_upper_case_one() {
        let line = |form| line(form, "FVP_X", "terminal_0", 5000);
        assert_eq!(line(Announcement::Plain), "terminal_0: Listening for serial connection on port 5000\n");
        assert_eq!(
            line(Announcement::InfoBlank),
            "\nInfo: FVP_X: terminal_0: Listening for serial connection on port 5000\n\n"
        );
        assert!(line(Announcement::Info).starts_with("Info: FVP_X: terminal_0: "));
        assert!(line(Announcement::Upper).starts_with("INFO: FVP_X: terminal_0: "));
    }

    #[test]
    fn an_order_is_complete_repeatable_and_not_the_natural_one() {
        for seed in 0..50 {
            let order = Dice::new(seed).order(4);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            assert_ne!(order, [0, 1, 2, 3]);
            assert_eq!(order, Dice::new(seed).order(4));
        }
    }
}
