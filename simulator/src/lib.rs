//! A scripted list server, a scripted OpenRouter and its like on real sockets.
//!
//! `demo`, the tests and the fault drills all use this one; only `bench/` has a cheaper stand-in. A
//! [`Script`] says what each model does on each attempt; every step comes down to bytes, pauses and
//! endings, so that any fault of a network or a provider can be played. It follows
//! `docs/upstream.md` and knows nothing of the proxy.
//!
//! The other providers are at paths of their own ([`addresses`]), each in its own dialect, with
//! accounts whose limits are counted; their answers are data, in `providers/*.json`. [`Providers`]
//! starts them for a test.
//!
//! A peer that shuts down its sending half counts as gone, as it does for hyper.

mod act;
mod answers;
mod asked;
mod broken;
mod clock;
mod control;
mod demo;
mod failed;
mod failures;
mod list;
mod play;
mod program;
mod providers;
mod raw;
mod record;
mod routes;
mod said;
mod schema;
mod script;
mod step;
mod stream_faults;
mod streams;
#[cfg(test)]
mod tests;
mod wire;
mod words;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

pub use answers::{Answer, ToolCall, Usage};
pub use clock::Now;
pub use demo::DemoKeys;
pub use failed::Failed;
pub use failures::Failure;
pub use list::{TOP_MODELS, TOP_MODELS_NEXT, list_of};
pub use providers::{
    Account, Addresses, Case, Ends, Is, Limit, Limits, Odd, Per, ProviderCase, ProviderScript,
    Providers, Refusal, Told, Unit, Within, addresses, provider_case, provider_cases,
    provider_names,
};
pub use raw::{Raw, RawPart, Then};
pub use record::{Seen, Tally};
pub use script::{Greeting, Plan, PlanEnd, Recording, Script};
pub use step::{Point, Status, Step};
pub use stream_faults::{Stream, StreamFault};

use act::{Act, Reply};
use program::{Program, Slot};
use record::{Ended, Record};
use wire::{After, Connection, NoRequest};

/// The simulator. Clones are the same one.
#[derive(Clone)]
pub struct Simulator {
    shared: Arc<Shared>,
}

struct Shared {
    program: ArcSwap<Program>,
    record: Record,
    /// How many chat answers have been started: makes their ids unique.
    answers: AtomicU64,
    /// How far the simulator's wall clock is ahead of the real one, in milliseconds.
    ahead: AtomicI64,
}

impl Simulator {
    /// Where the ranking is.
    pub const LIST_PATH: &'static str = "/api/free-llm/top-models";
    /// The base path of the upstream.
    pub const UPSTREAM_PATH: &'static str = "/api/v1";

    /// A simulator that follows this script.
    #[must_use]
    pub fn new(script: Script) -> Self {
        let program = ArcSwap::from_pointee(Program::new(script));
        let shared = Shared {
            program,
            record: Record::new(),
            answers: AtomicU64::new(0),
            ahead: AtomicI64::new(0),
        };
        Self {
            shared: Arc::new(shared),
        }
    }

    /// Serves every connection of this listener, until it is dropped with all of them.
    pub async fn serve(&self, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((io, _)) => {
                        let simulator = self.clone();
                        connections.spawn(async move { simulator.serve_tcp(io).await });
                    }
                    // Out of descriptors, most likely: some will come back.
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    /// Serves one connection of any kind to its end. A reset is then merely a drop.
    pub async fn serve_connection<IO>(&self, io: IO)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        self.run(Connection::new(io, |_| {})).await;
    }

    async fn serve_tcp(&self, io: TcpStream) {
        // Neither can fail on an open socket, and a closed one is soon noticed.
        drop(io.set_nodelay(true));
        self.run(Connection::new(io, |io| drop(io.set_zero_linger())))
            .await;
    }

    async fn run<IO>(&self, mut connection: Connection<IO>)
    where
        IO: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (number, _open) = self.shared.record.connect();
        let greeting = self.shared.program.load().greeting();
        // No one needs to be told about a peer that leaves during these.
        match greeting {
            Greeting::Ok | Greeting::CloseAfter(_) | Greeting::DieAfter(_) => {}
            Greeting::Reset => return drop(connection.play(&[Act::Reset]).await),
            Greeting::Close => return drop(connection.play(&[Act::Close]).await),
            Greeting::Stall => return drop(connection.play(&[Act::Hang]).await),
        }
        for answered in 0.. {
            if matches!(greeting, Greeting::CloseAfter(most) if most == answered) {
                break;
            }
            let request = match connection.request().await {
                Ok(request) => request,
                Err(NoRequest::Gone) => return,
                Err(NoRequest::Malformed(why)) => {
                    let acts = Reply::error(400, why).compile();
                    drop(connection.play(&acts).await);
                    break;
                }
            };
            if matches!(greeting, Greeting::DieAfter(most) if most == answered) {
                return drop(connection.play(&[Act::Reset]).await);
            }
            let answer = self.answer(&request, number);
            let played = connection.play(&answer.acts).await;
            if let Some(seen) = answer.seen {
                let ended = if played.is_ok() {
                    Ended::Finished
                } else {
                    Ended::ClosedEarly
                };
                self.shared.record.end(seen, &ended);
            }
            match played {
                Ok(After::Open) if request.keep_alive => {}
                Ok(After::Open) => break,
                Ok(After::Closed) | Err(_) => return,
            }
        }
        connection.close().await;
    }

    /// Follows this script from its beginning. Answers in progress continue unchanged.
    pub fn set_script(&self, script: Script) {
        self.shared.program.store(Arc::new(Program::new(script)));
    }

    /// Follows this plan for this model, from its beginning; everything else continues.
    pub fn set_model(&self, id: &str, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.change(&Slot::Model(id.to_owned()), |script| {
            script.models.insert(id.to_owned(), plan.clone());
        });
    }

    /// Follows this plan for all free models together (if empty: each follows its own again).
    pub fn set_account(&self, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.change(&Slot::Account, |script| script.account = plan.clone());
    }

    /// Follows this plan for the ranking, from its beginning; everything else continues.
    pub fn set_list(&self, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.change(&Slot::List, |script| script.list = plan.clone());
    }

    /// Follows this plan for the catalogue, from its beginning; everything else continues.
    pub fn set_catalogue(&self, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.change(&Slot::Catalogue, |script| script.catalogue = plan.clone());
    }

    /// Follows this plan for the key endpoint, from its beginning; everything else continues.
    pub fn set_key(&self, plan: impl Into<Plan<Step>>) {
        let plan = plan.into();
        self.change(&Slot::Key, |script| script.key = plan.clone());
    }

    fn change(&self, slot: &Slot, change: impl Fn(&mut Script)) {
        self.shared
            .program
            .rcu(|program| Arc::new(program.changed(slot, &change)));
    }

    /// The requests seen, oldest first (the last 10,000), without those to the simulator itself.
    #[must_use]
    pub fn requests(&self) -> Vec<Seen> {
        self.shared.record.all()
    }

    /// The models asked for a completion, in order.
    #[must_use]
    pub fn models_asked(&self) -> Vec<String> {
        self.requests()
            .into_iter()
            .filter_map(|seen| seen.model)
            .collect()
    }

    /// What each account was asked and answered since the last [`Self::clear_requests`], by
    /// provider and account; of all requests, not only of those that are kept.
    #[must_use]
    pub fn tally(&self) -> BTreeMap<(String, String), Tally> {
        self.shared.record.tally()
    }

    /// Forgets the requests seen.
    pub fn clear_requests(&self) {
        self.shared.record.clear();
    }

    /// How many connections were ever accepted.
    #[must_use]
    pub fn accepted(&self) -> u64 {
        self.shared.record.accepted.load(Ordering::Relaxed)
    }

    /// How many connections are open now.
    #[must_use]
    pub fn open(&self) -> usize {
        self.shared.record.open.load(Ordering::Relaxed)
    }

    /// Waits until this holds; checked whenever a request or connection begins or ends. There is no
    /// time limit.
    pub async fn until(&self, holds: impl Fn(&Self) -> bool) {
        let mut changes = self.shared.record.subscribe();
        while !holds(self) {
            // The sender lives as long as `self`.
            if changes.changed().await.is_err() {
                return;
            }
        }
    }
}
