// Command opa-wasi is what the published package carries of OPA, so that nobody who installs it needs Go or a download: the sub-commands that
// engine/decide runs, with the arguments and the answers of the `opa` program of the same version, over OPA's own packages. The program
// itself cannot be compiled for WASI: its server and its disk store ask the system for more than WASI has.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/open-policy-agent/opa/v1/ast"
	"github.com/open-policy-agent/opa/v1/compile"
	"github.com/open-policy-agent/opa/v1/loader"
	"github.com/open-policy-agent/opa/v1/rego"
	"github.com/open-policy-agent/opa/v1/storage"
	"github.com/open-policy-agent/opa/v1/tester"
	"github.com/open-policy-agent/opa/v1/topdown"
	"github.com/open-policy-agent/opa/v1/version"
)

// Exit codes of `opa`: a test that failed is 2, everything else that went wrong 1.
const (
	exitWrong      = 1
	exitTestFailed = 2
)

var errTestFailed = errors.New("a test failed")

var commands = map[string]func(context.Context, []string) error{
	"version":      printVersion,
	"capabilities": printCapabilities,
	"check":        check,
	"eval":         eval,
	"build":        build,
	"test":         test,
}

func main() {
	name := ""
	if len(os.Args) > 1 {
		name = os.Args[1]
	}
	command, known := commands[name]
	if !known {
		fmt.Fprintf(os.Stderr, "unknown command %q\n", name)
		os.Exit(exitWrong)
	}
	err := command(context.Background(), os.Args[2:])
	switch {
	case err == nil:
	case errors.Is(err, errTestFailed):
		os.Exit(exitTestFailed)
	case name == "check" || name == "eval":
		_ = printJSON(os.Stderr, map[string]any{"errors": told(err)})
		os.Exit(exitWrong)
	default:
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(exitWrong)
	}
}

func printVersion(context.Context, []string) error {
	_, err := fmt.Println("Version:", version.Version)
	return err
}

func printCapabilities(context.Context, []string) error {
	return printJSON(os.Stdout, ast.CapabilitiesForThisVersion())
}

func check(_ context.Context, args []string) error {
	flags := newFlags("check")
	capabilitiesFile := flags.String("capabilities", "", "")
	schemaFile := flags.String("schema", "", "")
	errorsMax := flags.Int("max-errors", 10, "")
	strict := flags.Bool("strict", false, "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	capabilities, err := capabilitiesOf(*capabilitiesFile)
	if err != nil {
		return err
	}
	schemas, err := loader.Schemas(*schemaFile)
	if err != nil {
		return err
	}
	loaded, err := loader.NewFileLoader().WithProcessAnnotation(true).WithCapabilities(capabilities).Filtered(flags.Args(), onlyRego)
	if err != nil {
		return err
	}
	compiler := ast.NewCompiler().
		SetErrorLimit(*errorsMax).
		WithCapabilities(capabilities).
		WithSchemas(schemas).
		WithEnablePrintStatements(true).
		WithStrict(*strict).
		WithUseTypeCheckAnnotations(true)
	if compiler.Compile(loaded.ParsedModules()); compiler.Failed() {
		return compiler.Errors
	}
	return nil
}

func eval(ctx context.Context, args []string) error {
	flags := newFlags("eval")
	inputFile := flags.String("input", "", "")
	if err := flags.Parse(args); err != nil {
		return err
	}
	text, err := os.ReadFile(*inputFile)
	if err != nil {
		return err
	}
	input, err := ast.ValueFromReader(strings.NewReader(string(text)))
	if err != nil {
		return err
	}
	result, err := rego.New(rego.Query(flags.Arg(0)), rego.ParsedInput(input)).Eval(ctx)
	if err != nil {
		return err
	}
	return printJSON(os.Stdout, map[string]any{"result": result})
}

func build(ctx context.Context, args []string) error {
	flags := newFlags("build")
	target := flags.String("target", compile.TargetRego, "")
	capabilitiesFile := flags.String("capabilities", "", "")
	output := flags.String("output", "bundle.tar.gz", "")
	var entrypoints []string
	flags.Func("entrypoint", "", func(name string) error {
		entrypoints = append(entrypoints, name)
		return nil
	})
	if err := flags.Parse(args); err != nil {
		return err
	}
	capabilities, err := capabilitiesOf(*capabilitiesFile)
	if err != nil {
		return err
	}
	out, err := os.Create(*output)
	if err != nil {
		return err
	}
	compiler := compile.New().
		WithCapabilities(capabilities).
		WithTarget(*target).
		WithOutput(out).
		WithEntrypoints(entrypoints...).
		WithRegoAnnotationEntrypoints(true).
		WithPaths(flags.Args()...).
		WithEnablePrintStatements(*target == compile.TargetPlan)
	return errors.Join(compiler.Build(ctx), out.Close())
}

func test(ctx context.Context, args []string) error {
	flags := newFlags("test")
	if err := flags.Parse(args); err != nil {
		return err
	}
	all := func(string, os.FileInfo, int) bool { return false }
	modules, store, err := tester.LoadWithParserOptions(flags.Args(), all, ast.ParserOptions{ProcessAnnotation: true})
	if err != nil {
		return err
	}
	txn, err := store.NewTransaction(ctx, storage.WriteParams)
	if err != nil {
		return err
	}
	defer store.Abort(ctx, txn)
	compiler := ast.NewCompiler().
		WithPathConflictsCheck(storage.NonEmpty(ctx, store, txn)).
		WithEnablePrintStatements(true).
		WithCapabilities(ast.CapabilitiesForThisVersion()).
		WithUseTypeCheckAnnotations(true)
	results, err := tester.NewRunner().
		SetCompiler(compiler).
		SetStore(store).
		CapturePrintOutput(true).
		SetModules(modules).
		SetParallel(1).
		RunTests(ctx, txn)
	if err != nil {
		return err
	}
	failed := false
	seen := make(chan *tester.Result)
	go func() {
		defer close(seen)
		for result := range results {
			failed = failed || !result.Pass()
			seen <- result
		}
	}()
	if err := (tester.JSONReporter{Output: os.Stdout}).Report(seen); err != nil {
		return err
	}
	if failed {
		return errTestFailed
	}
	return nil
}

// newFlags takes `--format json`, which is the one form that all of this answers in.
func newFlags(name string) *flag.FlagSet {
	flags := flag.NewFlagSet(name, flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.String("format", "json", "")
	return flags
}

func capabilitiesOf(file string) (*ast.Capabilities, error) {
	if file == "" {
		return ast.CapabilitiesForThisVersion(), nil
	}
	return ast.LoadCapabilitiesFile(file)
}

func onlyRego(path string, info os.FileInfo, _ int) bool {
	return !info.IsDir() && !strings.HasSuffix(path, ".rego")
}

type problem struct {
	Message  string        `json:"message"`
	Code     string        `json:"code,omitempty"`
	Location *ast.Location `json:"location,omitempty"`
	Details  any           `json:"details,omitempty"`
}

func told(err error) []problem {
	switch err := err.(type) {
	case *ast.Error:
		return []problem{{err.Message, err.Code, err.Location, err.Details}}
	case *topdown.Error:
		return []problem{{err.Message, err.Code, err.Location, nil}}
	case ast.Errors:
		return toldAll(err)
	case rego.Errors:
		return toldAll(err)
	case loader.Errors:
		return toldAll(err)
	}
	if inner := errors.Unwrap(err); inner != nil {
		if found := told(inner); found[0].Code != "" {
			return found
		}
	}
	return []problem{{Message: err.Error()}}
}

func toldAll[E error](all []E) []problem {
	found := make([]problem, 0, len(all))
	for _, err := range all {
		found = append(found, told(err)...)
	}
	return found
}

func printJSON(to io.Writer, value any) error {
	encoder := json.NewEncoder(to)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
