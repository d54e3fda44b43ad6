//! Runs single commands in the guest's shell, each of which must succeed.

use pumice_types::{Failure, Spanned};
use serde_json::json;

use crate::{boot::Booted, cx::StepCx};

/// Runs them, one after the other.
pub(crate) async fn run(
    commands: &[Spanned<String>],
    booted: &mut Booted,
    cx: &StepCx,
) -> Result<(), Failure> {
    for command in commands {
        booted.must_run(&command.value, cx).await?;
    }
    cx.record(json!({ "commands": commands.len() }));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::harness::Conversation;
    use crate::boot::{patterns, run_line};

    #[tokio::test]
    async fn the_status_is_that_of_the_line() {
        let mut conversation = Conversation::start();
        // The terminal echoes what is typed; only the answer has the digits.
        let echo = r"printf '<pumice-''status %s>\n' $?";
        let status = format!("{echo}\r\n<pumice-status 3>\r\n# ");
        conversation.answer_lines(&["false\r\n# ", &status]);
        let prompts = patterns(["# "]).unwrap();
        let ran = conversation.run(async |console, cx| run_line(console, &prompts, "false", cx).await);
        assert_eq!(ran.await.unwrap().status, 3);
        assert_eq!(conversation.typed(), format!("false\n{echo}\n"));
    }
}
