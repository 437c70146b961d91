//! The socket of a connection, which is closed so that the client can read its last answer.

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

/// How long the server waits for more of what a client still sends, and for all of it.
#[derive(Clone, Copy)]
pub(super) struct Patience {
    pub(super) pause: Duration,
    pub(super) total: Duration,
}

/// A stream that lingers.
///
/// A socket that is closed while unread bytes arrive makes the system reset the connection, and a
/// reset takes an answer away that the client has not read yet. So after its last answer the server
/// says that it will send no more, and then reads and discards until the client closes
/// ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112#section-9.6)), but not for long, and not
/// while it is stopping.
pub(super) struct Lingering<S> {
    stream: S,
    patience: Patience,
    stopping: watch::Receiver<bool>,
    end: Option<End>,
}

/// The end of a connection to which nothing is written any more.
struct End {
    pause: Pin<Box<Sleep>>,
    deadline: Instant,
}

impl<S> Lingering<S> {
    pub(super) fn new(stream: S, patience: Patience, stopping: watch::Receiver<bool>) -> Self {
        Self { stream, patience, stopping, end: None }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Lingering<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Lingering<S> {
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
        let Self { stream, patience, stopping, end } = &mut *self;
        let end = if let Some(end) = end {
            end
        } else {
            ready!(Pin::new(&mut *stream).poll_shutdown(context))?;
            let now = Instant::now();
            let pause = Box::pin(sleep_until(now + patience.pause));
            end.insert(End { pause, deadline: now + patience.total })
        };
        let mut discarded = [0; 4096];
        loop {
            if *stopping.borrow() {
                return Poll::Ready(Ok(()));
            }
            let mut buffer = ReadBuf::new(&mut discarded);
            match Pin::new(&mut *stream).poll_read(context, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let next = (Instant::now() + patience.pause).min(end.deadline);
                    end.pause.as_mut().reset(next);
                }
                // The client has closed as well.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return end.pause.as_mut().poll(context).map(Ok),
            }
            // A client that sends without a pause would otherwise be read for ever.
            if Instant::now() >= end.deadline {
                return Poll::Ready(Ok(()));
            }
        }
    }
}
