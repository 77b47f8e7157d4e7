package storetest

var inputTests []test
var clockTests []test
var stormTests []test
var modelTests []test
