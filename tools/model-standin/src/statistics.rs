//! `--stat`: the table at the end (reference, section 4.6).

use crate::machine::Usage;
use crate::model::Model;
use std::fmt::Write as _;
use std::time::Duration;

/// Every line of the table is this wide at most, and its rules exactly.
const COLUMNS: usize = 79;

/// What the table is made from.
#[derive(Clone, Debug)]
pub(crate) struct Statistics {
    pub(crate) simulated: Duration,
    pub(crate) wall: Duration,
    pub(crate) usage: Usage,
    /// Instructions per second of a core's host time, in millions: QEMU does not count them.
    pub(crate) mips: f64,
}

impl Statistics {
    /// The table.
    pub(crate) fn table(&self, model: &Model) -> String {
        let head = format!("--- {} statistics: ", model.instance);
        let mut text = format!("\n{head:-<COLUMNS$}\n");
        let mut row = |label: &str, value: &str| {
            let _ = writeln!(text, "{label:<40}: {value}");
        };
        row("Simulated time", &format!("{:.6}s", self.simulated.as_secs_f64()));
        row("User time", &format!("{:.6}s", self.usage.user.as_secs_f64()));
        row("System time", &format!("{:.6}s", self.usage.system.as_secs_f64()));
        row("Wall time", &format!("{:.6}s", self.wall.as_secs_f64()));
        row("Performance index", &format!("{:.2}", ratio(self.simulated.as_secs_f64(), self.wall)));
        let cores = self.instructions(model);
        for (core, instructions) in &cores {
            row(core, &self.rate(*instructions));
        }
        if cores.len() > 1 {
            row("Total", &self.rate(cores.iter().map(|(_, count)| count).sum()));
        }
        let memory = self.usage.memory_bytes;
        #[expect(clippy::cast_precision_loss, reason = "three digits are shown")]
        let gigabytes = memory as f64 / f64::from(1_u32 << 30);
        row("Memory highwater mark", &format!("{memory:#x} bytes ( {gigabytes:.3} GB )"));
        let _ = writeln!(text, "{:-<COLUMNS$}", "");
        text
    }

    /// Instructions of the cores that executed any.
    fn instructions(&self, model: &Model) -> Vec<(String, u64)> {
        // Models before 11.24 or so put their own name before the core's (reference 4.6).
        let prefix =
            if model.name.family == "corstone" { format!("{}.", model.instance) } else { String::new() };
        let mut counted: Vec<(String, u64)> = Vec::new();
        for (core, time) in model.cores.iter().zip(&self.usage.cores) {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, and not negative"
            )]
            let instructions = (time.as_secs_f64() * self.mips * 1e6).round() as u64;
            if instructions > 0 || counted.is_empty() {
                counted.push((format!("{prefix}{core}"), instructions));
            }
        }
        if counted.is_empty() {
            // A guest without a processor of its own: the boot core did what there was to do.
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_sign_loss,
                reason = "a count, and not negative"
            )]
            let instructions = (self.usage.cpu().as_secs_f64() * self.mips * 1e6).round() as u64;
            let core = model.cores.first().map_or("cpu0", String::as_str);
            counted.push((format!("{prefix}{core}"), instructions));
        }
        counted
    }

    fn rate(&self, instructions: u64) -> String {
        #[expect(clippy::cast_precision_loss, reason = "two digits are shown")]
        let millions = instructions as f64 / 1e6;
        format!("{:6.2} MIPS ({instructions:12} Inst)", ratio(millions, self.wall))
    }
}

fn ratio(value: f64, wall: Duration) -> f64 {
    if wall.is_zero() { 0.0 } else { value / wall.as_secs_f64() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::ModelName;

    #[test]
    fn the_table_has_the_public_columns() {
        let model = Model::new(ModelName::parse("FVP_Base_RevC-2xAEMvA").unwrap()).unwrap();
        let statistics = Statistics {
            simulated: Duration::from_micros(500_000),
            wall: Duration::from_secs(1),
            usage: Usage {
                user: Duration::from_millis(900),
                system: Duration::from_millis(10),
                cores: vec![Duration::from_millis(500), Duration::ZERO, Duration::from_millis(100)],
                memory_bytes: 0x2a19_a000,
            },
            mips: 100.0,
        };
        let expected = "
--- FVP_Base_RevC_2xAEMvA statistics: -----------------------------------------
Simulated time                          : 0.500000s
User time                               : 0.900000s
System time                             : 0.010000s
Wall time                               : 1.000000s
Performance index                       : 0.50
cluster0.cpu0                           :  50.00 MIPS (    50000000 Inst)
cluster0.cpu2                           :  10.00 MIPS (    10000000 Inst)
Total                                   :  60.00 MIPS (    60000000 Inst)
Memory highwater mark                   : 0x2a19a000 bytes ( 0.658 GB )
-------------------------------------------------------------------------------
";
        assert_eq!(statistics.table(&model), expected);
    }
}
