//! The socket of a connection, with a lingering close so that the client can read the last
//! response.

use std::{
    io::{self, IoSlice},
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    sync::watch,
    time::{Instant, Sleep, sleep_until},
};

/// How long the server reads from a client after its last response: between two reads, and in
/// total.
#[derive(Clone, Copy)]
pub(super) struct Timeouts {
    pub(super) pause: Duration,
    pub(super) total: Duration,
}

/// A stream with a lingering close.
///
/// If a socket is closed while unread bytes arrive, the operating system resets the connection, and
/// the client may lose a response that it has not read yet. After the last response the server
/// therefore shuts down the write side, and reads and discards until the client closes
/// ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)), a timeout expires, or the
/// server stops.
pub(super) struct LingeringClose<S> {
    stream: S,
    timeouts: Timeouts,
    stopping: watch::Receiver<bool>,
    end: Option<End>,
}

/// The state of a connection after its write side was shut down.
struct End {
    pause: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl<S> LingeringClose<S> {
    pub(super) fn new(stream: S, timeouts: Timeouts, stopping: watch::Receiver<bool>) -> Self {
        Self { stream, timeouts, stopping, end: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LingeringClose<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LingeringClose<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Self { stream, timeouts, stopping, end } = &mut *self;
        let end = if let Some(end) = end {
            end
        } else {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
            let now = Instant::now();
            let pause = Box::pin(sleep_until(now + timeouts.pause));
            end.insert(End { pause, deadline: now + timeouts.total })
        };
        let mut discarded = [0; 4096];
        loop {
            if *stopping.borrow() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let next = (Instant::now() + timeouts.pause).min(end.deadline);
                    end.pause.as_mut().reset(next);
                }
                // The client has closed as well.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return end.pause.as_mut().poll(context).map(Ok),
            }
            // Otherwise a client that sends continuously would be read forever.
            if Instant::now() >= end.deadline {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
