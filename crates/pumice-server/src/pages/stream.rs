//! The live log: server-sent events.

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Path, Query},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use pumice_db::Job;
use pumice_record::{LogLevel, LogRecord, Message, read_line};
use pumice_types::JobId;
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::{
    context::word,
    jobs::find,
    page::{Answer, Page},
};
use crate::{
    app::Shared,
    refusal::Refusal,
    results,
    stream::{Received, send},
};

/// Lines sent at once at most, in number and in bytes: a page that is read slowly keeps two such pieces.
const LINES: u64 = 1000;
const BYTES: usize = 64 << 10;

/// Where to begin.
#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    first: u64,
}

/// Lines as they come, the state as it changes, and the end.
pub(super) async fn log(page: Page, Path(id): Path<String>, Query(from): Query<From>) -> Answer {
    let job = find(&page, &id).await?;
    let (sender, receiver) = mpsc::channel(1);
    let shared = Arc::clone(&page.shared);
    tokio::spawn(async move {
        if let Err(refusal) = follow(&shared, job, from.first, &sender).await {
            refusal.log();
        }
    });
    Ok(Sse::new(Received(receiver))
        .keep_alive(KeepAlive::new().interval(Duration::from_secs(15)))
        .into_response())
}

async fn follow(
    shared: &Arc<Shared>,
    job: Job,
    first: u64,
    sender: &mpsc::Sender<Sent>,
) -> Result<(), Refusal> {
    let id: JobId = job.id;
    let mut next = first;
    let mut place = results::place(&job);
    let mut said = "";
    loop {
        let Some(job) = shared.database.read().await?.job(id).await? else { return Ok(()) };
        if results::place(&job) != place {
            // The job was given again: its log begins anew.
            place = results::place(&job);
            next = 0;
        }
        if word(&job) != said {
            said = word(&job);
            if !tell(shared, sender, "state", &json!({ "word": said })).await {
                return Ok(());
            }
        }
        let grown = shared.logs.grown(place);
        let lines = results::read_lines(shared, place, next, Some(next + LINES), BYTES).await?;
        let shown: Vec<Value> = lines.lines().zip(next..).map(|(line, number)| shown(number, line)).collect();
        if !shown.is_empty() {
            next += u64::try_from(shown.len()).unwrap_or(0);
            if !tell(shared, sender, "lines", &Value::Array(shown)).await {
                return Ok(());
            }
            continue;
        }
        if job.is_finished() {
            // Whoever has gone needs no end.
            tell(shared, sender, "end", &Value::Null).await;
            return Ok(());
        }
        tokio::select! {
            () = grown => {}
            // The state may change without a line.
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            () = sender.closed() => return Ok(()),
            () = shared.stopping() => return Ok(()),
        }
    }
}

/// An event as axum takes it.
type Sent = Result<Event, Infallible>;

async fn tell(shared: &Shared, sender: &mpsc::Sender<Sent>, name: &str, data: &Value) -> bool {
    send(shared, sender, Ok(Event::default().event(name).data(data.to_string()))).await
}

/// `[number, time, level, text, whether it failed]`
fn shown(number: u64, line: &str) -> Value {
    let Ok(record) = read_line(line) else { return json!([number, "", "error", line, false]) };
    let time = record.at.to_string();
    let clock = time.split_once('T').map_or("", |(_, clock)| clock.trim_end_matches("+00:00"));
    let (text, failed) = words(&record);
    json!([number, clock.chars().take(12).collect::<String>(), record.level.as_str(), text, failed])
}

fn words(record: &LogRecord) -> (String, bool) {
    match &record.message {
        Message::Text(text) => match &record.namespace {
            Some(namespace) => (format!("[{namespace}] {text}"), false),
            None => (text.clone(), false),
        },
        Message::Structured(value) if record.level == LogLevel::Results => {
            let text = |key: &str| value.get(key).and_then(Value::as_str).unwrap_or_default();
            let measured = match value.get("measurement") {
                Some(number) => format!(" {number} {}", text("units")),
                None => String::new(),
            };
            let said = format!("{} {}: {}{measured}", text("definition"), text("case"), text("result"));
            (said.trim_end().to_owned(), text("result") == "fail")
        }
        Message::Structured(value) => (value.to_string(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_shown_with_time_level_and_words() {
        let line = r#"- {"dt": "2026-11-22T10:35:44.024423+00:00", "lvl": "target", "msg": "hello"}"#;
        assert_eq!(shown(7, line), json!([7, "10:35:44.024", "target", "hello", false]));
        let line = r#"- {"dt": "2026-11-22T10:35:44+00:00", "lvl": "results", "msg": {"definition": "0_x", "case": "t", "result": "fail", "measurement": 4.5, "units": "ms"}}"#;
        assert_eq!(shown(8, line), json!([8, "10:35:44", "results", "0_x t: fail 4.5 ms", true]));
        assert_eq!(shown(9, "nonsense"), json!([9, "", "error", "nonsense", false]));
    }
}
