// library - what varlink's own Go library makes of elementd, without generated code
//
//	library ADDRESS
//
// Reads requests from stdin, one JSON object a line, and answers each with JSON lines. All of them go
// over one connection:
//
//	{"do": "info"}
//	{"do": "describe", "name": INTERFACE}
//	{"do": "call", "name": METHOD, "parameters": {...}}
//	{"do": "watch", "name": METHOD, "parameters": {...}, "count": REPLIES}
//	{"do": "oneway", "name": METHOD, "parameters": {...}}
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/varlink/go/varlink"
	"github.com/varlink/go/varlink/idl"
)

type request struct {
	Do         string
	Name       string
	Parameters json.RawMessage
	Count      int
}

type object map[string]interface{}

func say(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", line)
}

// An error as the library has it: what it has a type of its own for, and all else.
func failure(err error) object {
	var missing *varlink.MethodNotFound
	var invalid *varlink.InvalidParameter
	var other *varlink.Error
	switch {
	case errors.As(err, &missing):
		return object{"error": err.Error(), "type": "MethodNotFound", "parameters": missing}
	case errors.As(err, &invalid):
		return object{"error": err.Error(), "type": "InvalidParameter", "parameters": invalid}
	case errors.As(err, &other):
		return object{"error": other.Name, "type": "Error", "parameters": other.Parameters}
	}
	return object{"error": err.Error(), "type": fmt.Sprintf("%T", err)}
}

func describe(ctx context.Context, connection *varlink.Connection, name string) (object, error) {
	text, err := connection.GetInterfaceDescription(ctx, name)
	if err != nil {
		return nil, err
	}
	parsed, err := idl.New(text)
	if err != nil {
		return nil, err
	}
	var types, methods, failures []string
	for _, alias := range parsed.Aliases {
		types = append(types, alias.Name)
	}
	for _, method := range parsed.Methods {
		methods = append(methods, method.Name)
	}
	for _, failure := range parsed.Errors {
		failures = append(failures, failure.Name)
	}
	return object{"text": text, "name": parsed.Name, "doc": parsed.Doc, "types": types, "methods": methods,
		"errors": failures}, nil
}

func answer(ctx context.Context, connection *varlink.Connection, wanted request) error {
	switch wanted.Do {
	case "info":
		var vendor, product, version, url string
		var interfaces []string
		if err := connection.GetInfo(ctx, &vendor, &product, &version, &url, &interfaces); err != nil {
			return err
		}
		say(object{"vendor": vendor, "product": product, "version": version, "url": url,
			"interfaces": interfaces})
	case "describe":
		description, err := describe(ctx, connection, wanted.Name)
		if err != nil {
			return err
		}
		say(description)
	case "call":
		var reply json.RawMessage
		if err := connection.Call(ctx, wanted.Name, wanted.Parameters, &reply); err != nil {
			return err
		}
		say(object{"reply": reply})
	case "watch":
		receive, err := connection.Send(ctx, wanted.Name, wanted.Parameters, varlink.More)
		if err != nil {
			return err
		}
		for i := 0; i < wanted.Count; i++ {
			var reply json.RawMessage
			flags, err := receive(ctx, &reply)
			if err != nil {
				return err
			}
			say(object{"reply": reply, "continues": flags&varlink.Continues != 0})
		}
	case "oneway":
		if _, err := connection.Send(ctx, wanted.Name, wanted.Parameters, varlink.Oneway); err != nil {
			return err
		}
		say(object{"sent": wanted.Name})
	default:
		return fmt.Errorf("cannot do %q", wanted.Do)
	}
	return nil
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := varlink.NewConnection(ctx, os.Args[1])
	if err != nil {
		say(failure(err))
		os.Exit(1)
	}
	defer connection.Close()
	requests := json.NewDecoder(os.Stdin)
	for requests.More() {
		var wanted request
		if err := requests.Decode(&wanted); err != nil {
			panic(err)
		}
		if err := answer(ctx, connection, wanted); err != nil {
			say(failure(err))
		}
	}
}
