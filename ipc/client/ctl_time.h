#pragma once

/*
 * Times in words: "3 min ago", "in 40 s". Pure but for the time zone.
 */

#include "base/clock.h"

/* What any of these takes, with its NUL. */
#define CTL_TIME_SIZE 32

/* "40 s", "3 min", "2 h 5 min", "3 d 4 h": the two largest units. */
void ctl_time_format_span(usec_t span, char ret_text[static CTL_TIME_SIZE]);

/* "3 min ago", "just now" for less than a second, and for what is yet to come. */
void ctl_time_format_ago(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE]);

/* "in 40 s", "now" for less than a second, and for what is due. */
void ctl_time_format_due(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE]);

/* In local time: "21:30:05", or with the day, "2026-11-25 21:30:05", when that is not the day of `now`. */
void ctl_time_format_moment(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE]);

/* One word for a column: "40s", "3min", "2h", "3d" since `moment`; "0s" for what is to come. */
void ctl_time_format_age(usec_t moment, usec_t now, char ret_text[static CTL_TIME_SIZE]);
