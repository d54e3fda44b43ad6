//! The handle of a console.

use std::{
    fmt,
    sync::Arc,
    time::{Duration, Instant},
};

use pumice_types::Deadline;
use tokio::{
    sync::{broadcast, mpsc, oneshot},
    task::JoinHandle,
    time::{sleep_until, timeout_at},
};

use crate::{
    actor::{self, Input, Pacing, Shared},
    connection::Connection,
    engine::{Engine, Event, LOOK_BACK_BYTES, ReaderId},
    error::{ExpectError, SendError},
    found::Match,
    pattern::PatternError,
    patterns::Patterns,
    recorder::Recorder,
    watch::{Message, Watch},
};

/// How much of a console's end is shown with an error.
const TAIL_BYTES: usize = 2048;

/// How a console is to be handled.
#[derive(Clone, Debug)]
pub struct ConsoleOptions {
    /// How far a match may reach back, and how much unread output is kept for the next wait; at least 4 KiB.
    /// Twice as much memory is used.
    pub look_back_bytes: usize,
    /// What is looked for in every line.
    pub watches: Vec<Watch>,
    /// How fast to type.
    pub pacing: Pacing,
}

impl Default for ConsoleOptions {
    fn default() -> Self {
        Self { look_back_bytes: LOOK_BACK_BYTES, watches: Vec::new(), pacing: Pacing::UNPACED }
    }
}

/// A console that is being drained. Waits happen one after another, each reading on where the one before
/// stopped; everything else may happen at any time.
///
/// Dropping it does not stop the draining, which goes on until the other side closes; [`Console::close`]
/// does.
pub struct Console {
    shared: Arc<Shared>,
    sender: Sender,
    minds_fatal: bool,
    task: JoinHandle<()>,
}

impl fmt::Debug for Console {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Console").field("name", &self.shared.name).finish_non_exhaustive()
    }
}

impl Console {
    /// Begins to drain. To be called inside a tokio runtime. Refused when the watches are too large together.
    pub fn start(
        name: impl Into<String>,
        connection: Connection,
        recorder: impl Recorder + 'static,
        options: ConsoleOptions,
    ) -> Result<Self, PatternError> {
        let engine = Engine::new(options.look_back_bytes, options.watches, Instant::now())?;
        let shared = Arc::new(Shared::new(name.into(), engine));
        let (inputs, queue) = mpsc::unbounded_channel();
        let sender = Sender { shared: Arc::clone(&shared), inputs, pacing: options.pacing };
        let task = tokio::spawn(actor::run(Arc::clone(&shared), connection, Box::new(recorder), queue));
        Ok(Self { shared, sender, minds_fatal: true, task })
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// Waits for the first of `patterns`, reading on where the last wait stopped. A fatal watch and the end of
    /// the console end the wait too, unless a pattern comes before them in the stream. Cancel-safe: a
    /// wait that is dropped has read nothing.
    pub async fn expect(&mut self, patterns: &Patterns, deadline: &Deadline) -> Result<Match, ExpectError> {
        let reader = Reader::begin(&self.shared, patterns, false, self.minds_fatal);
        let event = reader.next(deadline).await?;
        self.shared.engine().consume(&event);
        match event {
            Event::Match(found) => Ok(found),
            Event::Fatal(message) => Err(reader.fatal(message)),
        }
    }

    /// Looks for `patterns` from here on, for as long as the subscription lives: each match is kept until it is
    /// taken, whatever waits read meanwhile.
    pub fn subscribe(&self, patterns: &Patterns) -> Subscription {
        Subscription { reader: Reader::begin(&self.shared, patterns, true, self.minds_fatal) }
    }

    /// Whether fatal watches end waits that begin from now on. They are noted all the same.
    pub fn mind_fatal_watches(&mut self, minds: bool) {
        self.minds_fatal = minds;
    }

    /// Types `bytes`, and returns when all of it was taken. When it is dropped, typing stops after the byte that
    /// is being typed.
    pub async fn send(&self, bytes: &[u8], deadline: &Deadline) -> Result<(), SendError> {
        self.sender.send(bytes, deadline).await
    }

    /// Types a line and `\n`.
    pub async fn send_line(&self, line: &str, deadline: &Deadline) -> Result<(), SendError> {
        self.sender.send(format!("{line}\n").as_bytes(), deadline).await
    }

    /// How fast to type from now on.
    pub fn set_pacing(&mut self, pacing: Pacing) {
        self.sender.pacing = pacing;
    }

    /// A handle that types and listens, beside whoever waits here.
    pub fn sender(&self) -> Sender {
        self.sender.clone()
    }

    /// Leaves what has come so far unread.
    pub fn skip(&mut self) {
        self.shared.engine().skip();
    }

    /// Waits until nothing has come for `quiet`, or the console has ended, or the time is over. Says whether it
    /// is quiet.
    pub async fn settle(&self, quiet: Duration, deadline: &Deadline) -> bool {
        loop {
            let (last, is_closed) = {
                let engine = self.shared.engine();
                (engine.last_activity(), engine.is_closed())
            };
            let now = Instant::now();
            if is_closed || now >= last + quiet {
                return true;
            }
            if deadline.is_over(now) {
                return false;
            }
            sleep_until((last + quiet).min(deadline.at()).into()).await;
        }
    }

    /// When something came last; when it was started, if nothing ever came.
    pub fn last_activity(&self) -> Instant {
        self.shared.engine().last_activity()
    }

    /// How many bytes have come.
    pub fn total_bytes(&self) -> u64 {
        self.shared.engine().total()
    }

    /// What came last, at most `length_bytes` of it, as text.
    pub fn tail(&self, length_bytes: usize) -> String {
        String::from_utf8_lossy(self.shared.engine().tail(length_bytes)).into_owned()
    }

    /// The lines that watches were found in, in order: at most the first thousand, and how many came after.
    pub fn messages(&self) -> (Vec<Message>, u64) {
        let engine = self.shared.engine();
        let (messages, dropped) = engine.messages();
        (messages.to_vec(), dropped)
    }

    /// Everything that comes from now on.
    pub fn tap(&self) -> Tap {
        Tap { receiver: self.shared.taps.subscribe() }
    }

    /// Whether it has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.engine().is_closed()
    }

    /// Waits until it has ended. Says whether it has before the time was over.
    pub async fn closed(&self, deadline: &Deadline) -> bool {
        loop {
            let news = self.shared.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.is_closed() {
                return true;
            }
            if timeout_at(deadline.at().into(), news).await.is_err() {
                return self.is_closed();
            }
        }
    }

    /// Waits until it has ended, and ends it when the time is over.
    pub async fn close(self, deadline: &Deadline) {
        if !self.closed(deadline).await {
            self.task.abort();
        }
        // Cancelled or finished, it is over.
        drop(self.task.await);
    }
}

/// Types into a console, and listens to it without waiting for anything. Copies share the console.
#[derive(Clone, Debug)]
pub struct Sender {
    shared: Arc<Shared>,
    inputs: mpsc::UnboundedSender<Input>,
    pacing: Pacing,
}

impl Sender {
    /// The console's name.
    pub fn name(&self) -> &str {
        &self.shared.name
    }

    /// What came last, at most `length_bytes` of it, and everything that comes from then on.
    pub fn follow(&self, length_bytes: usize) -> (Vec<u8>, Tap) {
        // Under the lock, so that nothing is missed between the two and nothing comes twice.
        let engine = self.shared.engine();
        let tap = Tap { receiver: self.shared.taps.subscribe() };
        (engine.tail(length_bytes).to_vec(), tap)
    }

    /// Resolves when the console has ended. Cancel-safe.
    pub async fn closed(&self) {
        loop {
            let news = self.shared.news.notified();
            tokio::pin!(news);
            news.as_mut().enable();
            if self.shared.engine().is_closed() {
                return;
            }
            news.await;
        }
    }

    /// See [`Console::last_activity`].
    pub fn last_activity(&self) -> Instant {
        self.shared.engine().last_activity()
    }

    /// See [`Console::send`].
    pub async fn send(&self, bytes: &[u8], deadline: &Deadline) -> Result<(), SendError> {
        let closed = |reason| SendError::Closed { console: self.shared.name.clone(), reason };
        let (done, outcome) = oneshot::channel();
        let input = Input { bytes: bytes.to_vec(), pacing: self.pacing, done };
        if self.inputs.send(input).is_err() {
            return Err(closed(self.shared.reason()));
        }
        match timeout_at(deadline.at().into(), outcome).await {
            Ok(Ok(Ok(()))) => Ok(()),
            Ok(Ok(Err(reason))) => Err(closed(Some(reason))),
            Ok(Err(_)) => Err(closed(self.shared.reason())),
            Err(_) => Err(SendError::Timeout {
                console: self.shared.name.clone(),
                owner: deadline.owner().to_owned(),
                limit: deadline.limit(),
            }),
        }
    }
}

/// A search that goes on after each match. Ends when it is dropped.
#[derive(Debug)]
pub struct Subscription {
    reader: Reader,
}

impl Subscription {
    /// The next match. Its [`Match::before`] is empty. Cancel-safe.
    pub async fn next(&mut self, deadline: &Deadline) -> Result<Match, ExpectError> {
        match self.reader.next(deadline).await? {
            Event::Match(found) => Ok(found),
            Event::Fatal(message) => Err(self.reader.fatal(message)),
        }
    }
}

/// One search, which ends when this is dropped.
#[derive(Debug)]
struct Reader {
    shared: Arc<Shared>,
    patterns: Patterns,
    id: ReaderId,
}

impl Reader {
    fn begin(shared: &Arc<Shared>, patterns: &Patterns, goes_on: bool, minds_fatal: bool) -> Self {
        let id = shared.engine().begin(patterns.clone(), goes_on, minds_fatal);
        Self { shared: Arc::clone(shared), patterns: patterns.clone(), id }
    }

    async fn next(&self, deadline: &Deadline) -> Result<Event, ExpectError> {
        loop {
            let news = self.shared.news.notified();
            tokio::pin!(news);
            // From here on no news is missed.
            news.as_mut().enable();
            if let Some(outcome) = self.poll() {
                return outcome;
            }
            if timeout_at(deadline.at().into(), news).await.is_err() {
                return self.poll().unwrap_or_else(|| Err(self.timeout(deadline)));
            }
        }
    }

    /// What there is, without waiting.
    fn poll(&self) -> Option<Result<Event, ExpectError>> {
        let mut engine = self.shared.engine();
        if let Some(event) = engine.take(self.id) {
            return Some(Ok(event));
        }
        let console = self.shared.name.clone();
        match engine.take_lost(self.id) {
            0 if !engine.is_closed() => None,
            0 => {
                let tail = last_lines(engine.tail(TAIL_BYTES));
                drop(engine);
                let waited_for = self.patterns.to_string();
                Some(Err(ExpectError::Closed { console, reason: self.shared.reason(), waited_for, tail }))
            }
            lost => Some(Err(ExpectError::Overrun { console, lost })),
        }
    }

    fn timeout(&self, deadline: &Deadline) -> ExpectError {
        ExpectError::Timeout {
            console: self.shared.name.clone(),
            owner: deadline.owner().to_owned(),
            limit: deadline.limit(),
            waited_for: self.patterns.to_string(),
            tail: last_lines(self.shared.engine().tail(TAIL_BYTES)),
        }
    }

    fn fatal(&self, message: Message) -> ExpectError {
        let tail = last_lines(self.shared.engine().tail(TAIL_BYTES));
        ExpectError::Watch { console: self.shared.name.clone(), message, tail }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.shared.engine().end(self.id);
    }
}

/// Whole lines for a person, without the terminal's control characters.
fn last_lines(bytes: &[u8]) -> String {
    let text = String::from_utf8_lossy(bytes);
    let text: String = text.chars().filter(|&c| c == '\n' || c == '\t' || !c.is_control()).collect();
    let from = if bytes.len() < TAIL_BYTES { 0 } else { text.find('\n').map_or(0, |end| end + 1) };
    text.get(from..).unwrap_or_default().trim().to_owned()
}

/// What a tap gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Tapped {
    /// What came.
    Bytes(Arc<[u8]>),
    /// This many chunks came faster than they were taken, and are lost to this tap.
    Missed(u64),
}

/// Follows a console without holding it up.
#[derive(Debug)]
pub struct Tap {
    receiver: broadcast::Receiver<Arc<[u8]>>,
}

impl Tap {
    /// What comes next; `None` when the console and its handles are gone. Cancel-safe.
    pub async fn next(&mut self) -> Option<Tapped> {
        match self.receiver.recv().await {
            Ok(bytes) => Some(Tapped::Bytes(bytes)),
            Err(broadcast::error::RecvError::Lagged(missed)) => Some(Tapped::Missed(missed)),
            Err(broadcast::error::RecvError::Closed) => None,
        }
    }
}
