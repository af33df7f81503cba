//! Connects the state with the terminal, the store and the signals.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossterm::event::{Event as Input, EventStream, KeyEventKind};
use futures_util::StreamExt as _;
use futures_util::future::OptionFuture;
use nix::libc;
use shedlock_runtime::LockAdmin;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::task::JoinHandle;
use tokio::time::{MissedTickBehavior, interval, timeout};

use super::app::{App, Effect, Event};
use super::deed::Deed;
use super::reader::Reader;
use super::screen::Screen;
use crate::exit::{Exit, Failure};
use crate::output::{self, Level};

/// The age of the frame on the screen is to the second.
const TICK: Duration = Duration::from_millis(500);

/// How long a user who quits waits for what he has asked for.
const LAST_WAIT: Duration = Duration::from_secs(5);

/// What is being done for the user.
type Doing = JoinHandle<Result<String, String>>;

/// Shows the locks until the user quits or a signal comes.
pub(super) async fn drive(app: App, store: Arc<dyn LockAdmin>) -> Result<Exit, Failure> {
    let signals = Signals::listen().map_err(|error| broken("the signals", &error))?;
    let screen = Screen::take().map_err(|error| broken("the terminal", &error))?;
    let mut driver = Driver {
        app,
        store,
        screen,
        begun: Instant::now(),
        doing: None,
    };
    let ended = driver.run(signals).await;
    let Driver { screen, doing, .. } = driver;
    // Before anything is said on stderr.
    drop(screen);
    if let Some(doing) = doing {
        finish(doing).await;
    }
    ended
}

/// Waits a little for what is being done for the user, who has seen no answer, and says what became of it.
async fn finish(doing: Doing) {
    match timeout(LAST_WAIT, doing).await {
        Ok(Ok(Ok(done))) => output::say(Level::Info, &done),
        Ok(Ok(Err(failure))) => output::say(Level::Error, &failure),
        Ok(Err(_)) | Err(_) => output::say(
            Level::Error,
            "the store did not answer; look whether it was done",
        ),
    }
}

fn broken(what: &str, error: &io::Error) -> Failure {
    Failure::internal(format!("cannot use {what}: {error}"))
}

struct Driver {
    app: App,
    store: Arc<dyn LockAdmin>,
    screen: Screen,
    begun: Instant,
    doing: Option<Doing>,
}

/// What happened.
enum Happened {
    Event(Event),
    Signal(i32),
    /// Nobody is at the terminal any more.
    Gone,
    /// A task of ours has panicked.
    Broken,
    /// Nothing that anybody sees.
    Nothing,
}

impl Driver {
    async fn run(&mut self, mut signals: Signals) -> Result<Exit, Failure> {
        let every = self.app.settings.every;
        let (reader, mut read) = Reader::start(Arc::clone(&self.store), every);
        let mut inputs = EventStream::new();
        let mut tick = interval(TICK);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.draw()?;
            let doing = OptionFuture::from(self.doing.as_mut());
            let happened = tokio::select! {
                biased;
                signal = signals.next() => Happened::Signal(signal),
                input = inputs.next() => of_input(input.as_ref()),
                Some(done) = doing => {
                    self.doing = None;
                    done.map_or(Happened::Broken, |done| Happened::Event(Event::Done(done)))
                }
                answer = read.recv() => {
                    answer.map_or(Happened::Broken, |answer| Happened::Event(Event::Read(answer)))
                }
                _ = tick.tick() => Happened::Event(Event::Tick),
            };
            let effect = match happened {
                Happened::Event(event) => self.app.update(event, self.begun.elapsed()),
                Happened::Signal(libc::SIGTSTP) => Some(Effect::Suspend),
                // After a stop that gave us no time to give the terminal back.
                Happened::Signal(libc::SIGCONT) => {
                    self.resume()?;
                    None
                }
                Happened::Signal(signal) => return Ok(Exit::of_signal(signal)),
                Happened::Gone => return Ok(Exit::SUCCESS),
                Happened::Broken => return Err(Failure::internal("a task has panicked")),
                Happened::Nothing => None,
            };
            match effect {
                Some(Effect::Quit) => return Ok(Exit::SUCCESS),
                Some(Effect::Suspend) => self.suspend()?,
                Some(Effect::Read) => reader.hurry(),
                Some(Effect::Do(deed)) => self.start(deed),
                None => {}
            }
        }
    }

    fn draw(&mut self) -> Result<(), Failure> {
        self.screen
            .draw(&self.app)
            .map_err(|error| broken("the terminal", &error))
    }

    fn resume(&mut self) -> Result<(), Failure> {
        self.screen
            .resume()
            .map_err(|error| broken("the terminal", &error))
    }

    fn suspend(&mut self) -> Result<(), Failure> {
        self.screen
            .suspend()
            .map_err(|error| broken("the terminal", &error))
    }

    /// In a task of its own, so that a slow store does not hold up the keys.
    fn start(&mut self, deed: Deed) {
        let store = Arc::clone(&self.store);
        self.doing = Some(tokio::spawn(async move { deed.done(&*store).await }));
    }
}

fn of_input(input: Option<&io::Result<Input>>) -> Happened {
    match input {
        Some(Ok(Input::Key(key))) if key.kind != KeyEventKind::Release => {
            Happened::Event(Event::Key(*key))
        }
        Some(Ok(Input::Resize(..))) => Happened::Event(Event::Tick),
        Some(Ok(_)) => Happened::Nothing,
        Some(Err(_)) | None => Happened::Gone,
    }
}

/// The signals that end or stop the program.
struct Signals([(i32, Signal); 6]);

impl Signals {
    fn listen() -> io::Result<Self> {
        let listen = |number| signal(SignalKind::from_raw(number)).map(|signal| (number, signal));
        Ok(Self([
            listen(libc::SIGTERM)?,
            listen(libc::SIGHUP)?,
            listen(libc::SIGINT)?,
            listen(libc::SIGQUIT)?,
            listen(libc::SIGTSTP)?,
            listen(libc::SIGCONT)?,
        ]))
    }

    /// The next signal that arrives.
    ///
    /// # Cancel safety
    ///
    /// A signal that has arrived is not lost.
    async fn next(&mut self) -> i32 {
        std::future::poll_fn(|context| {
            for (number, signal) in &mut self.0 {
                if signal.poll_recv(context).is_ready() {
                    return std::task::Poll::Ready(*number);
                }
            }
            std::task::Poll::Pending
        })
        .await
    }
}
