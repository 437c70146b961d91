//! How the lenient input types and instants are described in the OpenAPI document.

use std::borrow::Cow;

use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        KnownFormat, RefOr, Schema, SchemaFormat,
        schema::{ArrayBuilder, Object, ObjectBuilder, OneOfBuilder, SchemaType, Type},
    },
};

use crate::{
    input::{
        Count, Flag, INTEGER_MAX, Id, Instant, JsonText, Patch, Plain, PlainProse, Prose, Text,
        Texts,
    },
    time::Millis,
};

fn of(types: &[Type], description: &str) -> ObjectBuilder {
    ObjectBuilder::new()
        .schema_type(types.iter().cloned().collect::<SchemaType>())
        .description(Some(description))
}

fn any_object() -> Object {
    ObjectBuilder::new().schema_type(Type::Object).build()
}

impl ToSchema for Text {}
impl PartialSchema for Text {
    fn schema() -> RefOr<Schema> {
        of(&[Type::String, Type::Null], "Text; null and the empty string count as absent.").into()
    }
}

impl ToSchema for Prose {}
impl PartialSchema for Prose {
    fn schema() -> RefOr<Schema> {
        Text::schema()
    }
}

impl ToSchema for PlainProse {}
impl PartialSchema for PlainProse {
    fn schema() -> RefOr<Schema> {
        Plain::schema()
    }
}

impl ToSchema for Plain {}
impl PartialSchema for Plain {
    fn schema() -> RefOr<Schema> {
        of(&[Type::String], "Text.").into()
    }
}

impl ToSchema for Id {}
impl PartialSchema for Id {
    fn schema() -> RefOr<Schema> {
        of(&[Type::String, Type::Integer, Type::Null], "An id; an integer becomes its text.").into()
    }
}

impl ToSchema for Flag {}
impl PartialSchema for Flag {
    fn schema() -> RefOr<Schema> {
        of(&[Type::Boolean, Type::Integer, Type::Null], "true, false, 0 or 1.")
            .minimum(Some(0))
            .maximum(Some(1))
            .into()
    }
}

impl ToSchema for Count {}
impl PartialSchema for Count {
    fn schema() -> RefOr<Schema> {
        of(&[Type::Integer, Type::Null], "A non-negative integer; null is 0.")
            .minimum(Some(0))
            .maximum(Some(INTEGER_MAX))
            .into()
    }
}

impl ToSchema for JsonText {}
impl PartialSchema for JsonText {
    fn schema() -> RefOr<Schema> {
        of(
            &[Type::String, Type::Object, Type::Array, Type::Null],
            "JSON or its text; stored and returned as text.",
        )
        .into()
    }
}

impl ToSchema for Texts {}
impl PartialSchema for Texts {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(of(&[Type::String, Type::Null], "One text."))
            .item(ArrayBuilder::new().items(of(&[Type::String], "A text.")))
            .into()
    }
}

impl<T: ToSchema> ToSchema for Patch<T> {
    fn name() -> Cow<'static, str> {
        Cow::Owned(format!("{}OrNull", T::name()))
    }
}
impl<T: ToSchema> PartialSchema for Patch<T> {
    fn schema() -> RefOr<Schema> {
        match T::schema() {
            RefOr::T(Schema::Object(mut object)) => {
                if let SchemaType::Type(known) = object.schema_type {
                    object.schema_type = SchemaType::from_iter([known, Type::Null]);
                }
                object.into()
            }
            other => other,
        }
    }
}

impl ToSchema for Millis {}
impl PartialSchema for Millis {
    fn schema() -> RefOr<Schema> {
        of(&[Type::String], "A timestamp, in UTC.")
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl ToSchema for Instant {}
impl PartialSchema for Instant {
    fn schema() -> RefOr<Schema> {
        let types = [Type::String, Type::Integer, Type::Null];
        of(&types, "A timestamp: ISO 8601 text or milliseconds; null and the empty string count as absent.")
            .into()
    }
}

/// Any JSON value, for fields that are stored and returned as they came.
#[derive(Clone, Copy, Debug)]
pub struct AnyJson;

impl ToSchema for AnyJson {}
impl PartialSchema for AnyJson {
    fn schema() -> RefOr<Schema> {
        OneOfBuilder::new()
            .item(of(&[Type::String, Type::Null], "Text."))
            .item(any_object())
            .item(ArrayBuilder::new().items(any_object()))
            .into()
    }
}
