package facts

import (
	"fmt"
	"reflect"
	"strings"

	"leviathan/gateway/engine"
)

// Parts are the facts as parts of a question's input, one for each field of
// Facts. Parts that did not change since the last question have the same
// digest and are stored once.
func (f *Facts) Parts() (engine.Input, error) {
	var in engine.Input
	former := engine.NewFormer() // a pod spec is in a document, too
	v := reflect.ValueOf(f).Elem()
	for i := range v.NumField() {
		part, err := former.Part(jsonName(v.Type().Field(i)), v.Field(i).Interface())
		if err != nil {
			return nil, fmt.Errorf("make the facts' document: %w", err)
		}
		in = append(in, part)
	}
	return in, nil
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	return name
}
