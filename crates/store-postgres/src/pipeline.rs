//! Pipelining: all statements of a batch are sent before the first response is awaited.

use std::{future::poll_fn, pin::Pin, task::Poll};

use deadpool_postgres::ClientWrapper;
use futures_util::{
    TryStreamExt,
    future::{BoxFuture, FutureExt, MaybeDone, maybe_done},
};
use octopoid_store::{
    EngineError,
    engine::{Row, Rows, Statement, TEXT_MAX, text_bytes},
};
use tokio_postgres::{Error, SimpleQueryMessage, types::Type};

use crate::{
    Aim, Session,
    failure::{Failure, Stage},
    group::Group,
    values::{Bound, row},
};

/// A statement to send.
struct Query<'a> {
    text: Text,
    parameters: Vec<Bound<'a>>,
}

enum Text {
    /// Already prepared on this connection.
    Prepared(tokio_postgres::Statement),
    /// Sent as text.
    Plain(String),
}

/// Runs a batch as one transaction.
pub(crate) async fn batch(
    client: &ClientWrapper,
    batch: &[Statement],
    aim: Aim,
    session: &Session,
) -> Result<Vec<Rows>, Failure> {
    let mut ready = Vec::with_capacity(batch.len());
    for statement in batch {
        ready.push(prepared(client, statement, session.prepares).await?);
    }
    let statements = count(&ready);
    match aim {
        Aim::Read => execute(client, session.begin_read(statements), ready, TEXT_MAX).await,
        Aim::Write if statements == 0 => {
            check_writable(client).await?;
            Ok(vec![Rows::new(); batch.len()])
        }
        Aim::Write => execute(client, session.begin_write(statements), ready, usize::MAX).await,
    }
}

/// Runs the merged statements of a group as one transaction. The answers are those of the merged
/// statements.
pub(crate) async fn group(
    client: &ClientWrapper,
    group: &Group,
    aim: Aim,
    session: &Session,
) -> Result<Vec<Rows>, Failure> {
    let mut ready = Vec::with_capacity(group.statements().len());
    for merged in group.statements() {
        let parameters = merged.parameters(group)?;
        ready.push(Some(known(client, merged.text(), parameters).await?));
    }
    match aim {
        Aim::Read => {
            let begin = session.begin_read(ready.len());
            execute(client, begin, ready, TEXT_MAX).await
        }
        Aim::Write => execute(client, session.begin_write(ready.len()), ready, usize::MAX).await,
    }
}

/// Fails on a standby, and if transactions are read-only by default.
async fn check_writable(client: &ClientWrapper) -> Result<(), Failure> {
    let answers = client.simple_query("SHOW transaction_read_only").await;
    let answers = answers.map_err(|error| Failure::new(&error, Stage::Begin))?;
    let is_on = |answer: &SimpleQueryMessage| match answer {
        SimpleQueryMessage::Row(row) => row.get(0) == Some("on"),
        _ => false,
    };
    if answers.iter().any(is_on) {
        let text = "the database accepts no writes: it is a standby, or read-only".to_owned();
        return Err(Failure::Final(EngineError::Unavailable(text)));
    }
    Ok(())
}

/// The number of statements for PostgreSQL.
fn count(ready: &[Option<Query<'_>>]) -> usize {
    ready.iter().flatten().count()
}

/// A statement ready to be sent, if PostgreSQL runs it. Dynamic statements are not prepared: there
/// are too many of them to cache.
async fn prepared<'a>(
    client: &ClientWrapper,
    statement: &'a Statement,
    prepares: bool,
) -> Result<Option<Query<'a>>, Failure> {
    let Some(text) = statement.sql.postgres() else { return Ok(None) };
    let parameters = statement.parameters.iter().map(Bound::One).collect();
    if prepares && statement.sql.is_constant() {
        return known(client, &text, parameters).await.map(Some);
    }
    Ok(Some(Query { text: Text::Plain(text.into_owned()), parameters }))
}

/// A statement that is prepared once on each connection.
async fn known<'a>(
    client: &ClientWrapper,
    text: &str,
    parameters: Vec<Bound<'a>>,
) -> Result<Query<'a>, Failure> {
    let types: Vec<_> = parameters.iter().map(Bound::declared).collect();
    let known = client.prepare_typed_cached(text, &types).await;
    let known = known.map_err(|error| Failure::new(&error, Stage::Before))?;
    Ok(Query { text: Text::Prepared(known), parameters })
}

/// Sends everything before it waits. If the caller is dropped in between, the transaction still
/// completes.
async fn execute(
    client: &ClientWrapper,
    begin: Option<&str>,
    batch: Vec<Option<Query<'_>>>,
    text_max: usize,
) -> Result<Vec<Rows>, Failure> {
    let mut control = Vec::new();
    if let Some(begin) = begin {
        control.push(sent(client.batch_execute(begin)).await);
    }
    let mut statements = Vec::with_capacity(batch.len());
    for ready in batch {
        statements.push(match ready {
            Some(ready) => Some(sent(run(client, ready)).await),
            None => None,
        });
    }
    if begin.is_some() {
        control.push(sent(client.batch_execute("COMMIT")).await);
    }

    let mut control = control.into_iter();
    if let Some(opening) = control.next() {
        answer(opening).await.map_err(|error| Failure::new(&error, Stage::Begin))?;
    }
    let stage = if begin.is_some() { Stage::Sent } else { Stage::Whole };
    let mut text_left = text_max;
    let mut answers = Vec::with_capacity(statements.len());
    for pending in statements {
        answers.push(match pending {
            Some(pending) => {
                let stream = answer(pending).await.map_err(|error| Failure::new(&error, stage))?;
                collect(stream, stage, &mut text_left).await?
            }
            None => Rows::new(),
        });
    }
    if let Some(closing) = control.next() {
        answer(closing).await.map_err(|error| Failure::new(&error, Stage::Commit))?;
    }
    Ok(answers)
}

/// A request that is polled once to send it, and again for its response.
type Pending<'a, T> = Pin<Box<MaybeDone<BoxFuture<'a, Result<T, Error>>>>>;

/// Sends a request without waiting for its response.
async fn sent<'a, T>(
    request: impl Future<Output = Result<T, Error>> + Send + 'a,
) -> Pending<'a, T> {
    let mut pending = Box::pin(maybe_done(request.boxed()));
    poll_fn(|context| {
        let _ = pending.as_mut().poll(context);
        Poll::Ready(())
    })
    .await;
    pending
}

async fn answer<T>(mut pending: Pending<'_, T>) -> Result<T, Error> {
    pending.as_mut().await;
    pending.as_mut().take_output().expect("nobody else takes it")
}

async fn run(client: &ClientWrapper, ready: Query<'_>) -> Result<tokio_postgres::RowStream, Error> {
    let parameters = ready.parameters;
    match ready.text {
        Text::Prepared(statement) => client.query_raw(&statement, parameters).await,
        Text::Plain(text) => {
            let typed: Vec<(Bound<'_>, Type)> = parameters
                .into_iter()
                .map(|parameter| {
                    let declared = parameter.declared();
                    (parameter, declared)
                })
                .collect();
            client.query_typed_raw(&text, typed).await
        }
    }
}

async fn collect(
    stream: tokio_postgres::RowStream,
    stage: Stage,
    text_left: &mut usize,
) -> Result<Rows, Failure> {
    let mut stream = std::pin::pin!(stream);
    let mut rows = Rows::new();
    while let Some(next) = next(&mut stream).await.map_err(|error| Failure::new(&error, stage))? {
        *text_left = text_left.checked_sub(text_bytes(&next)).ok_or(Failure::TooLarge)?;
        rows.push(next);
    }
    Ok(rows)
}

async fn next(stream: &mut Pin<&mut tokio_postgres::RowStream>) -> Result<Option<Row>, Error> {
    stream.try_next().await.and_then(|next| next.as_ref().map(row).transpose())
}
