//! Waits for sockets and for a moment: epoll, with a timer that is accurate to the microsecond
//! where epoll's own timeout counts milliseconds.

use std::os::fd::{AsFd, OwnedFd};

use anyhow::{Context as _, Result};
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
    timerfd_settime,
};

use crate::clock::Nanos;

/// What a socket is watched for, apart from its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Watch {
    /// Something to read.
    Reads,
    /// Something to read, or room to write.
    ReadsAndWrites,
}

impl Watch {
    fn flags(self) -> EventFlags {
        match self {
            Self::Reads => EventFlags::IN,
            Self::ReadsAndWrites => EventFlags::IN | EventFlags::OUT,
        }
    }
}

/// A socket that is ready.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    /// The key it was added with.
    pub(crate) key: usize,
    /// Something to read, including its end or a failure.
    pub(crate) readable: bool,
    /// Room to write.
    pub(crate) writable: bool,
}

const TIMER: u64 = u64::MAX;

/// Sockets and one timer.
pub(crate) struct Poller {
    epoll: OwnedFd,
    timer: OwnedFd,
    /// When the timer goes off; 0 when it does not.
    armed: Nanos,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub(crate) fn new() -> Result<Self> {
        let epoll = epoll::create(CreateFlags::CLOEXEC).context("no epoll")?;
        let flags = TimerfdFlags::CLOEXEC | TimerfdFlags::NONBLOCK;
        let timer = timerfd_create(TimerfdClockId::Monotonic, flags).context("no timer")?;
        epoll::add(&epoll, &timer, EventData::new_u64(TIMER), EventFlags::IN)
            .context("the timer cannot be watched")?;
        Ok(Self {
            epoll,
            timer,
            armed: 0,
            events: Vec::with_capacity(1024),
        })
    }

    /// Watches a socket from now on; closing it ends that.
    pub(crate) fn add(&self, socket: impl AsFd, key: usize, watch: Watch) -> Result<()> {
        let data = EventData::new_u64(key as u64);
        epoll::add(&self.epoll, socket, data, watch.flags()).context("a socket cannot be watched")
    }

    /// Watches a socket for something else.
    pub(crate) fn change(&self, socket: impl AsFd, key: usize, watch: Watch) -> Result<()> {
        let data = EventData::new_u64(key as u64);
        epoll::modify(&self.epoll, socket, data, watch.flags())
            .context("a socket cannot be watched")
    }

    /// Waits until a socket is ready or that moment has come; `ready` then holds the sockets.
    pub(crate) fn wait(&mut self, until: Option<Nanos>, ready: &mut Vec<Ready>) -> Result<()> {
        ready.clear();
        self.arm(until.map_or(0, |at| at.max(1)))?;
        self.events.clear();
        let room = rustix::buffer::spare_capacity(&mut self.events);
        match epoll::wait(&self.epoll, room, None) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error).context("epoll fails"),
        }
        for event in &self.events {
            let (key, flags) = (event.data.u64(), event.flags);
            if key == TIMER {
                // It has gone off: it must be read, or it stays ready for ever.
                let mut expirations = [0; 8];
                rustix::io::read(&self.timer, &mut expirations).ok();
                self.armed = 0;
                continue;
            }
            let ended = EventFlags::HUP | EventFlags::ERR;
            ready.push(Ready {
                key: usize::try_from(key).unwrap_or(usize::MAX),
                readable: flags.intersects(EventFlags::IN | ended),
                writable: flags.contains(EventFlags::OUT),
            });
        }
        Ok(())
    }

    /// A moment in the past makes the timer go off at once.
    fn arm(&mut self, at: Nanos) -> Result<()> {
        if at == self.armed {
            return Ok(());
        }
        self.armed = at;
        let second = 1_000_000_000;
        let value = Timespec {
            tv_sec: i64::try_from(at / second).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(at % second).unwrap_or(0),
        };
        let once = Itimerspec {
            it_interval: Timespec {
                tv_sec: 0,
                tv_nsec: 0,
            },
            it_value: value,
        };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &once)
            .context("the timer cannot be set")?;
        Ok(())
    }
}
