//! The WhatsApp Cloud API.
