#pragma once

/*
 * MESSAGE_ID of each kind of event, so that a journal can be searched for it and a catalogue explain it.
 *
 * One id per kind, never reused; each has its entry in elementd.catalog, and all that is logged above debug has one. Source: systemd.journal-fields(7), `systemd-id128 new`
 */

#define MESSAGE_STARTED           "0c3a5c1f1f8b4f0f9d5b8a2f4be0c6a1"
#define MESSAGE_STOPPED           "4f2d6a0e7c3b4a53b7a9e1d08c5f6b22"
#define MESSAGE_TOKEN_OBTAINED    "9be1f7c2d4a84e6c8f03b5d7a1c94e33"
#define MESSAGE_TOKEN_CHANGED     "5d0a8e3b6f1c47d29a4e7c80b3f2d144"
#define MESSAGE_INSTANCE_ABSENT   "c81f4b7e2a9d4c35b60e8f1d7a3c5955"
#define MESSAGE_INSTANCE_WAITING  "2e7b9d4f1c6a48e3a5d08b3f6e1c7a66"
#define MESSAGE_INSTANCE_FAILED   "a36d0f8c5b2e4179b4c7e90d1f8a3b77"
#define MESSAGE_INSTANCE_DISABLED "71c4e8b20d9f4a6ea83b5f7c2e0d1988"
#define MESSAGE_INSTANCE_UNKNOWN  "d5f92b6c8e1a4037910c4d7e3b6f8a99"
#define MESSAGE_DUPLICATES        "e84a1d7f3c0b4592af6e2b9d8c5017aa"
#define MESSAGE_ACCOUNT_PAUSED    "38b0e6d5a97f4c1d82e4f0b7c3a96dbb"
#define MESSAGE_ACCOUNT_OPEN      "f0a7c3e19d5b48268c1f6d4a2e7b90cc"
#define MESSAGE_CONFIGURATION     "6b5e2f8a0c7d41e99d3a4f1b8e6c70dd"
#define MESSAGE_STORE_FAILED      "1d9c7e4b5a2f40c386e0b8d3f7a51cee"
#define MESSAGE_STORE_WELL        "b72f0d6e8c4a49159e3c1a7d5b8f04ff"
#define MESSAGE_STORE_RECOVERED   "84e1a9c3f6b0472dad5e7b2c0f9d3611"
#define MESSAGE_INSTANCE_CHANGED  "3c7f5a9d1e0b4c68a2d4961f7b8e5c22"
#define MESSAGE_ORPHAN            "92d0b6f4e71a4e3c8f5a0c3d6b9e7133"
#define MESSAGE_RELOADED          "5ae8c1d70f3b4d92b64e9a2f1c7d8044"
#define MESSAGE_LOADED            "d3b1f7a85c2e4f60917c4e8a6b0d5f55"
#define MESSAGE_CREDENTIAL        "c6d2e8f04b7a4159a3d8e15c9f0b2655"
#define MESSAGE_CREDENTIAL_NONE   "551fe4cf243042d19bd348e4ea6f1d6d"
#define MESSAGE_NOT_RELOADED      "2494310f9dc143f0ba8c0510590c6c32"
#define MESSAGE_TOKEN_REJECTED    "65432d821d954806a792d00cc6af345d"
#define MESSAGE_INSTANCE_WELL     "21eca55afa694dfaa678c1c6a0b590a0"
#define MESSAGE_INSTANCE_ENABLED  "61493271c56846718cb13308dd6c6d5a"
#define MESSAGE_ORPHAN_DELETED    "3ef0d735b2ea44d695286cde11649c53"
#define MESSAGE_ORPHAN_KEPT       "898a440e079c421f8aaf6de856914ad7"
#define MESSAGE_ORPHANS_FULL      "0871c2c381364ea68bbef92b09f957bd"
#define MESSAGE_CANNOT_RUN        "989f5a228aa84e8cbfb887beb8684034"
#define MESSAGE_HTTP_FAILED       "241106fd82ad41cd8ef7969b22552b03"
#define MESSAGE_HTTP_ENDED        "92859d723f0643c58fceedb15d721a16"
#define MESSAGE_CLIENT            "debe657e1c8448be842ea4be47eeb049"
#define MESSAGE_CONNECTIONS       "645fe11af22d43008416b98e4fe8962d"
#define MESSAGE_LEFT_OUT          "1a05b57196ec4fd698994a07483bc6e4"
