package main

import "testing"

// What the gateway records leaves the machine by https, and reaches without it
// only a spider that is a Service of the gateway's own cluster.
func TestTheSpiderOfTheClusterIsReachedWithoutTLS(t *testing.T) {
	for _, test := range []struct {
		spider, log string
		inCluster   bool
		want        bool
	}{
		{spider: "http://leviathan-spider:8001", inCluster: true, want: true},
		{spider: "http://leviathan-spider.leviathan.svc:8001", inCluster: true, want: true},
		{spider: "http://leviathan-spider.leviathan.svc.cluster.local:8001", inCluster: true, want: true},
		{spider: "http://leviathan-spider:8001"},
		{spider: "http://spider.example.com:8001", inCluster: true},
		{spider: "http://203.0.113.1:8001", inCluster: true},
		{spider: "http://[2001:db8::1]:8001", inCluster: true},
		{spider: "http://user:secret@leviathan-spider:8001", inCluster: true},
		{spider: "http://:8001", inCluster: true},
		{spider: "https://spider.example.com", want: true},
		{spider: "http://127.0.0.1:8001", want: true},
		{log: "http://log-receiver/logs", inCluster: true},
	} {
		o := consumerOptions{spider: test.spider, decisionLog: test.log}
		if err := o.check(test.inCluster); (err == nil) != test.want {
			t.Errorf("spider %q, decision log %q, in a cluster %v: %v", test.spider, test.log, test.inCluster, err)
		}
	}
}
