//! The Node binding: conversion only, no decisions. Types named `Binding*` are the plain objects
//! that cross; packages/core-rs/src/native.ts describes them to TypeScript.

#![allow(
    unreachable_pub,
    reason = "what JavaScript reaches, rustc does not see"
)]

mod client;
mod convert;
mod error;
mod objects;

use std::cell::OnceCell;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use napi::bindgen_prelude::{AsyncTask, Buffer};
use napi::threadsafe_function::{ThreadsafeFunction, ThreadsafeFunctionCallMode};
use napi::{Env, Status, Task};
use napi_derive::napi;
use netcon_engine as engine;
use netcon_engine::{Command, Handle};

use crate::error::{Code, Result, failed};
use crate::objects::{
    BindingEngineOptions, BindingEvent, BindingSession, BindingSocket, BindingStatus,
    BindingTapReport,
};

/// An answer of the engine's thread takes microseconds; longer means that it hangs.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);

type OnEvent = ThreadsafeFunction<BindingEvent, (), BindingEvent, Status, false, true, 0>;

/// One engine and its thread.
#[napi]
#[derive(Debug)]
pub struct Engine {
    handle: Handle,
    idle: Mutex<Option<engine::Engine>>,
    /// Where the engine's events go, handed to its thread at the start.
    sink: Sender<Sink>,
    thread: Mutex<Option<JoinHandle<()>>>,
    tap: Option<BindingTapReport>,
}

type Sink = Box<dyn Fn(engine::Event) + Send>;

#[napi]
impl Engine {
    /// Opens the link and the RPC socket.
    #[napi(constructor)]
    #[allow(clippy::needless_pass_by_value)]
    pub fn new(options: BindingEngineOptions) -> Result<Engine> {
        let config = convert::config(&options)?;
        // Where events go is known at start(); none come before that.
        let (sink, late) = channel::<Sink>();
        let current: OnceCell<Sink> = OnceCell::new();
        let emit = move |event| {
            if let Ok(sink) = late.try_recv() {
                let _ = current.set(sink);
            }
            if let Some(sink) = current.get() {
                sink(event);
            }
        };
        let (engine, handle, report) =
            engine::Engine::open(config, Box::new(emit)).map_err(error::open)?;
        Ok(Engine {
            handle,
            idle: Mutex::new(Some(engine)),
            sink,
            thread: Mutex::new(None),
            tap: report.map(convert::tap_report),
        })
    }

    /// What became of the TAP device; null without one.
    #[napi(getter)]
    pub fn tap(&self) -> Option<BindingTapReport> {
        self.tap.clone()
    }

    /// Starts the thread; `onEvent` is called on the JavaScript thread.
    #[napi]
    pub fn start(
        &self,
        #[napi(ts_arg_type = "(event: BindingEvent) => void")] on_event: OnEvent,
    ) -> Result<()> {
        let running = || failed(Code("NETCON_ENGINE_STATE"), "the engine is already running");
        let mut idle = self.idle.lock().map_err(|_| running())?;
        let engine = idle.take().ok_or_else(running)?;
        let sink: Sink = Box::new(move |event| {
            on_event.call(
                convert::event(event),
                ThreadsafeFunctionCallMode::NonBlocking,
            );
        });
        // The receiver lives in the engine that is about to run.
        let _ = self.sink.send(sink);
        let thread = std::thread::Builder::new()
            .name("netcon-engine".to_owned())
            .spawn(move || engine.run())
            .map_err(|e| failed(Code("NETCON_ENGINE_STATE"), e))?;
        if let Ok(mut slot) = self.thread.lock() {
            *slot = Some(thread);
        }
        Ok(())
    }

    /// Lets a program in.
    #[napi]
    #[allow(clippy::needless_pass_by_value)]
    pub fn admit(&self, session: u32, max_sockets: u32, reply: Buffer) {
        let session = engine::SessionId(session);
        self.handle.send(Command::Admit {
            session,
            max_sockets,
            reply: reply.to_vec(),
        });
    }

    /// Turns a program away.
    #[napi]
    #[allow(clippy::needless_pass_by_value)]
    pub fn refuse(&self, session: u32, reply: Buffer) {
        let session = engine::SessionId(session);
        self.handle.send(Command::Refuse {
            session,
            reply: reply.to_vec(),
        });
    }

    /// Answers a question about a name; `errno` is 0 where there is an answer.
    #[napi]
    #[allow(clippy::needless_pass_by_value)]
    pub fn answer(&self, question: u32, errno: u32, bytes: Buffer) {
        self.handle.send(Command::Answer {
            question,
            errno,
            bytes: bytes.to_vec(),
        });
    }

    /// Totals.
    #[napi(ts_return_type = "Promise<BindingStatus>")]
    pub fn status(&self) -> AsyncTask<Ask<engine::Status>> {
        self.ask(Command::Status)
    }

    /// All sockets.
    #[napi(ts_return_type = "Promise<Array<BindingSocket>>")]
    pub fn sockets(&self) -> AsyncTask<Ask<Vec<engine::SocketRow>>> {
        self.ask(Command::Sockets)
    }

    /// All sessions.
    #[napi(ts_return_type = "Promise<Array<BindingSession>>")]
    pub fn sessions(&self) -> AsyncTask<Ask<Vec<engine::SessionRow>>> {
        self.ask(Command::Sessions)
    }

    /// Ends the thread, and everything it holds.
    #[napi(ts_return_type = "Promise<void>")]
    pub fn stop(&self) -> AsyncTask<Stop> {
        self.handle.send(Command::Stop);
        let idle = self.idle.lock().ok().and_then(|mut idle| idle.take());
        let thread = self.thread.lock().ok().and_then(|mut thread| thread.take());
        AsyncTask::new(Stop { idle, thread })
    }
}

impl Engine {
    fn ask<T: Answer>(&self, command: fn(Sender<T>) -> Command) -> AsyncTask<Ask<T>> {
        let (sender, answer) = channel();
        self.handle.send(command(sender));
        AsyncTask::new(Ask { answer })
    }
}

/// Waits for the engine's answer off the JavaScript thread.
#[derive(Debug)]
pub struct Ask<T> {
    answer: Receiver<T>,
}

/// What the engine answers, and what JavaScript gets of it.
pub trait Answer: Send + 'static {
    /// The plain object.
    type Js: napi::bindgen_prelude::ToNapiValue + napi::bindgen_prelude::TypeName;
    /// Converts.
    fn into_js(self) -> Self::Js;
}

impl Answer for engine::Status {
    type Js = BindingStatus;
    fn into_js(self) -> BindingStatus {
        convert::status(self)
    }
}

impl Answer for Vec<engine::SocketRow> {
    type Js = Vec<BindingSocket>;
    fn into_js(self) -> Vec<BindingSocket> {
        self.into_iter().map(convert::socket).collect()
    }
}

impl Answer for Vec<engine::SessionRow> {
    type Js = Vec<BindingSession>;
    fn into_js(self) -> Vec<BindingSession> {
        self.into_iter().map(convert::session).collect()
    }
}

impl<T: Answer> Task for Ask<T> {
    type Output = Option<T>;
    type JsValue = T::Js;

    fn compute(&mut self) -> napi::Result<Option<T>> {
        self.answer
            .recv_timeout(ANSWER_TIMEOUT)
            .map(Some)
            .map_err(|_| {
                napi::Error::from_reason("NETCON_ENGINE_STATE: the engine does not answer")
            })
    }

    fn resolve(&mut self, _env: Env, output: Option<T>) -> napi::Result<T::Js> {
        output
            .map(Answer::into_js)
            .ok_or_else(|| napi::Error::from_reason("NETCON_ENGINE_STATE: no answer"))
    }
}

/// Waits for the engine's thread to end.
#[derive(Debug)]
pub struct Stop {
    idle: Option<engine::Engine>,
    thread: Option<JoinHandle<()>>,
}

impl Task for Stop {
    type Output = ();
    type JsValue = ();

    fn compute(&mut self) -> napi::Result<()> {
        // Never started: running it takes the command to stop and cleans up.
        if let Some(engine) = self.idle.take() {
            engine.run();
        }
        match self.thread.take().map(JoinHandle::join) {
            Some(Err(_)) => Err(napi::Error::from_reason(
                "NETCON_ENGINE_PANIC: the engine's thread has panicked",
            )),
            Some(Ok(())) | None => Ok(()),
        }
    }

    fn resolve(&mut self, _env: Env, (): ()) -> napi::Result<()> {
        Ok(())
    }
}
