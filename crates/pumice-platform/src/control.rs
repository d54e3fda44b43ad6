//! The task that owns a machine's control channel: events come out as they happen, commands go in.

use tokio::{
    net::UnixStream,
    sync::{mpsc, oneshot, watch},
};

use crate::{MachineState, Monitor, MonitorError, MonitorEvent};

/// Something asked of the control channel.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Request {
    State,
    Quit,
    PowerButton,
    Reset,
    Pause,
    Resume,
}

type Answer = oneshot::Sender<Result<Option<MachineState>, MonitorError>>;

/// A handle of the control channel. Copies share it.
#[derive(Clone, Debug)]
pub(crate) struct Control {
    requests: mpsc::UnboundedSender<(Request, Answer)>,
    powered_off: watch::Receiver<bool>,
}

impl Control {
    /// Negotiates, then serves until the channel or every handle is gone.
    pub(crate) async fn start(
        mut monitor: Box<dyn Monitor>,
        stream: UnixStream,
    ) -> Result<Self, MonitorError> {
        monitor.attach(stream).await?;
        let (requests, queue) = mpsc::unbounded_channel();
        let (sender, powered_off) = watch::channel(false);
        tokio::spawn(serve(monitor, queue, sender));
        Ok(Self { requests, powered_off })
    }

    /// Asks and waits for the answer.
    pub(crate) async fn ask(&self, request: Request) -> Result<Option<MachineState>, MonitorError> {
        let closed = || MonitorError::Channel(std::io::ErrorKind::NotConnected.into());
        let (answer, outcome) = oneshot::channel();
        self.requests.send((request, answer)).map_err(|_| closed())?;
        outcome.await.map_err(|_| closed())?
    }

    /// Resolves when the guest powered off. Cancel-safe; never when the channel goes first.
    pub(crate) async fn powered_off(&self) {
        let mut powered_off = self.powered_off.clone();
        if powered_off.wait_for(|value| *value).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

async fn serve(
    mut monitor: Box<dyn Monitor>,
    mut queue: mpsc::UnboundedReceiver<(Request, Answer)>,
    powered_off: watch::Sender<bool>,
) {
    loop {
        tokio::select! {
            request = queue.recv() => {
                let Some((request, answer)) = request else { return };
                let outcome = perform(&mut *monitor, request).await;
                // Whoever asked may have given up.
                drop(answer.send(outcome));
            }
            event = monitor.event() => match event {
                MonitorEvent::PoweredOff => {
                    powered_off.send_replace(true);
                }
                MonitorEvent::Closed => return,
                MonitorEvent::Reset | MonitorEvent::Panicked => {}
            }
        }
    }
}

async fn perform(monitor: &mut dyn Monitor, request: Request) -> Result<Option<MachineState>, MonitorError> {
    match request {
        Request::State => return monitor.state().await.map(Some),
        Request::Quit => monitor.quit().await,
        Request::PowerButton => monitor.power_button().await,
        Request::Reset => monitor.reset().await,
        Request::Pause => monitor.pause().await,
        Request::Resume => monitor.resume().await,
    }
    .map(|()| None)
}
