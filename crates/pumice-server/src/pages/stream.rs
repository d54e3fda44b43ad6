//! The live log: server-sent events.

use std::{
    convert::Infallible,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{
    extract::{Path, Query},
    response::{
        IntoResponse,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures_core::Stream;
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
use crate::{app::Shared, refusal::Refusal, results};

/// Lines sent at once at most.
const LINES: u64 = 1000;

/// What a task sends, as a stream.
struct Received(mpsc::Receiver<Event>);

impl Stream for Received {
    type Item = Result<Event, Infallible>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.0.poll_recv(context).map(|event| event.map(Ok))
    }
}

/// Where to begin.
#[derive(Deserialize)]
pub(super) struct From {
    #[serde(default)]
    first: u64,
}

/// Lines as they come, the state as it changes, and the end.
pub(super) async fn log(page: Page, Path(id): Path<String>, Query(from): Query<From>) -> Answer {
    let job = find(&page, &id).await?;
    let (sender, receiver) = mpsc::channel(4);
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
    sender: &mpsc::Sender<Event>,
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
            if sender.send(event("state", &json!({ "word": said }))).await.is_err() {
                return Ok(());
            }
        }
        let grown = shared.logs.grown(place);
        let lines = results::read_lines(shared, place, next, Some(next + LINES)).await?;
        let shown: Vec<Value> = lines.lines().zip(next..).map(|(line, number)| shown(number, line)).collect();
        if !shown.is_empty() {
            next += u64::try_from(shown.len()).unwrap_or(0);
            if sender.send(event("lines", &Value::Array(shown))).await.is_err() {
                return Ok(());
            }
            continue;
        }
        if job.is_finished() {
            // Whoever has gone needs no end.
            let _ = sender.send(event("end", &Value::Null)).await;
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

fn event(name: &str, data: &Value) -> Event {
    Event::default().event(name).data(data.to_string())
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
