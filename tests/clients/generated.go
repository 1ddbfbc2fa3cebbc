// generated - a client in Go, of the code that varlink-go-interface-generator makes of the interface
//
//	generated ADDRESS INSTANCE
//
// Prints JSON lines: the token, the error of an instance that does not exist, the list, and the watch's
// first reply. With the next line on stdin it reports the token as rejected, which is oneway, and prints
// the watch's second reply.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"time"

	"github.com/varlink/go/varlink"

	"ioelementd"
)

type object map[string]interface{}

func say(value interface{}) {
	line, err := json.Marshal(value)
	if err != nil {
		panic(err)
	}
	fmt.Printf("%s\n", line)
}

func must(err error) {
	if err != nil {
		say(object{"unexpected": err.Error(), "type": fmt.Sprintf("%T", err)})
		os.Exit(1)
	}
}

func connect(ctx context.Context) *varlink.Connection {
	connection, err := varlink.NewConnection(ctx, os.Args[1])
	must(err)
	return connection
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	instance := os.Args[2]
	connection, watching := connect(ctx), connect(ctx)

	timeout := int64(20000000)
	token, id, _, err := ioelementd.GetToken().Call(ctx, connection, instance, &timeout)
	must(err)
	say(object{"token": token, "id": id})

	_, _, _, err = ioelementd.GetToken().Call(ctx, connection, "nothing", nil)
	if missing, ok := err.(*ioelementd.NoSuchInstance); ok {
		say(object{"error": "NoSuchInstance", "instance": missing.Instance})
	} else {
		say(object{"error": fmt.Sprintf("%T %v", err, err)})
	}

	instances, err := ioelementd.ListInstances().Call(ctx, connection)
	must(err)
	say(object{"instances": instances})

	receive, err := ioelementd.WatchToken().Send(ctx, watching, varlink.More, instance)
	must(err)
	next := func() {
		token, id, flags, err := receive(ctx)
		must(err)
		say(object{"token": token, "id": id, "continues": flags&varlink.Continues != 0})
	}
	next()

	if !bufio.NewScanner(os.Stdin).Scan() {
		os.Exit(1)
	}
	_, err = ioelementd.ReportRejected().Send(ctx, connection, varlink.Oneway, instance, token)
	must(err)
	next()
}
